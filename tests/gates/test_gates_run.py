"""What a gate run does with what it finds: quarantine, stops, releases, and when it validates at all."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from psycopg import sql
from tests.gates.gates_tables import add_build, create_tables, demo_configuration, fill_tables
from tests.model_tables import insert_rows

from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent, Transient
from trueup.gates import ledger
from trueup.gates.run import GateReport, run_gates
from trueup.gates.status import accept_total, read_gate_status
from trueup.gates.suites import default_folder
from trueup.warehouse.connection import Role, connect
from trueup.warehouse.roles import role_name

LEVEL = "canonical.stock_levels"


@pytest.fixture
def built(warehouse: ConnectionDetails) -> ConnectionDetails:
    """Valid tables, written by build 1."""
    create_tables(warehouse)
    fill_tables(warehouse)
    return warehouse


@pytest.fixture
def levels(tmp_path: Path) -> Path:
    """The suite of the stock levels alone: one is enough to see what a run does."""
    return _suites(tmp_path, "inventory/stock_levels.yml")


def _suites(folder: Path, *names: str) -> Path:
    for name in names:
        target = folder / "expectations" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(default_folder() / name, target)
    return folder / "expectations"


def _gate(details: ConnectionDetails, folder: Path, run_id: str = "run", *, is_full: bool = False) -> GateReport:
    return run_gates(details, demo_configuration(), run_id=run_id, is_full=is_full, folder=folder)


def _build(details: ConnectionDetails, build_id: int, *statements: str, status: str = "succeeded") -> None:
    with connect(details, None) as connection:
        add_build(connection, build_id, status)
        for statement in statements:
            connection.execute(statement.encode())


def _rows(details: ConnectionDetails, query: str) -> list[tuple[object, ...]]:
    with connect(details, None) as connection:
        return connection.execute(query.encode()).fetchall()


def _quarantined(details: ConnectionDetails) -> list[tuple[object, ...]]:
    return _rows(
        details,
        "select row_key, subject_key, target_system, rule_id from gates.quarantine where released_at is null"
        " order by 1",
    )


SPOIL = f"update {LEVEL} set damaged_quantity = -1, build_id = %d where sku = 'HV-00001'"
MEND = f"update {LEVEL} set damaged_quantity = 1, build_id = %d where sku = 'HV-00001'"


def test_a_build_is_validated_once(built: ConnectionDetails, levels: Path) -> None:
    """Nothing changed costs nothing; the second call does not even look."""
    assert not _gate(built, levels).is_skipped
    again = _gate(built, levels)
    assert again.is_skipped
    assert again.expectation_count == 0
    assert _rows(built, "select count(*) from gates.runs") == [(1,)]


def test_nothing_is_validated_before_the_first_build(warehouse: ConnectionDetails, levels: Path) -> None:
    """There are no tables yet; that is not a failure."""
    assert _gate(warehouse, levels).is_skipped


def test_after_a_build_only_its_rows_are_validated(built: ConnectionDetails, levels: Path) -> None:
    """The hot path's cost follows what changed, not what there is."""
    _gate(built, levels)
    _build(built, 2, f"update {LEVEL} set build_id = 2 where sku = 'HV-00001'")
    _gate(built, levels, "second")
    counted = _rows(
        built, "select scope, min(evaluated_count), max(evaluated_count) from gates.results where run_id = 'second'"
        " and evaluated_count is not null group by scope order by scope"
    )  # fmt: skip
    assert counted == [("row", 1, 1), ("table", 2, 2)]


def test_a_build_whose_gate_never_ran_is_validated_with_the_next(built: ConnectionDetails, levels: Path) -> None:
    """The gate was killed after build 2; build 3 wrote other rows."""
    _gate(built, levels)
    _build(built, 2, SPOIL % 2)
    _build(built, 3, f"update {LEVEL} set build_id = 3 where sku = 'HV-00002'")
    report = _gate(built, levels)
    assert [failure.rule_id for failure in report.failed] == ["stock_levels.damaged_not_negative"]


def test_a_failed_build_is_not_gated_but_its_rows_are_with_the_next(built: ConnectionDetails, levels: Path) -> None:
    """Its tables may be half written; what it wrote stays to be validated."""
    _gate(built, levels)
    _build(built, 2, SPOIL % 2, status="failed")
    assert _gate(built, levels).is_skipped
    _build(built, 3)
    assert len(_gate(built, levels).failed) == 1


def test_a_changed_rule_validates_everything_again(built: ConnectionDetails, levels: Path) -> None:
    """What passed another rule has not passed this one."""
    _gate(built, levels)
    suite = levels / "inventory" / "stock_levels.yml"
    suite.write_text(suite.read_text().replace("max_value: 1000000", "max_value: 10"), encoding="utf-8")
    report = _gate(built, levels)
    assert report.is_full
    assert [failure.rule_id for failure in report.failed] == ["stock_levels.on_hand_in_bounds"]


def test_a_row_is_quarantined_alone_and_released_when_it_passes(built: ConnectionDetails, levels: Path) -> None:
    """The others go on; the person who mended it has nothing more to do."""
    _gate(built, levels)
    _build(built, 2, SPOIL % 2)
    report = _gate(built, levels, "spoilt")
    assert (report.quarantined_count, report.stopped, report.open_quarantine_count) == (1, (), 1)
    assert _quarantined(built) == [("HV-00001|WH-EAST", "HV-00001", None, "stock_levels.damaged_not_negative")]
    verdict = _rows(
        built, "select status, evaluated_count, unexpected_count, unexpected_sample from gates.results"
        " where run_id = 'spoilt' and rule_id = 'stock_levels.damaged_not_negative'"
    )  # fmt: skip
    assert verdict == [("failed", 1, 1, ["HV-00001|WH-EAST"])]
    _build(built, 3, MEND % 3)
    assert _gate(built, levels).released_count == 1
    assert _quarantined(built) == []


def test_a_quarantined_row_stays_there_while_nothing_touches_it(built: ConnectionDetails, levels: Path) -> None:
    """A later run that does not validate it must not take silence for passing, nor hold it twice."""
    _build(built, 2, SPOIL % 2)
    _gate(built, levels)
    _build(built, 3, f"update {LEVEL} set build_id = 3 where sku = 'HV-00002'")
    assert _gate(built, levels).released_count == 0
    _build(built, 4)
    assert _gate(built, levels, is_full=True).quarantined_count == 0
    assert len(_quarantined(built)) == 1


def test_a_quarantined_row_that_is_gone_is_released_by_a_full_run(built: ConnectionDetails, levels: Path) -> None:
    """Or quarantine would fill with what no longer exists."""
    _build(built, 2, SPOIL % 2)
    _gate(built, levels)
    _build(built, 3, f"delete from {LEVEL} where sku = 'HV-00001'")
    assert _gate(built, levels, is_full=True).released_count == 1


def test_a_withdrawn_rule_releases_what_it_quarantined(built: ConnectionDetails, levels: Path) -> None:
    """Nothing would ever validate those rows again."""
    _build(built, 2, SPOIL % 2)
    _gate(built, levels)
    suite = levels / "inventory" / "stock_levels.yml"
    text = suite.read_text()
    begin = text.index("  - rule_id: stock_levels.damaged_not_negative")
    suite.write_text(text[:begin] + text[text.index("  - rule_id: stock_levels.quality_control") :], encoding="utf-8")
    assert _gate(built, levels).released_count == 1
    assert _quarantined(built) == []


def _many_positions(details: ConnectionDetails, build_id: int, spoilt: int) -> None:
    _build(
        details, build_id,
        "delete from marts.ats_positions",
        "insert into marts.ats_positions (sku, channel, on_hand_quantity, damaged_quantity, quality_control_quantity,"
        " sellable_quantity, reserved_quantity, safety_stock_quantity, free_quantity, shortfall_quantity,"
        " unassigned_reserved_quantity,"
        " pool_quantity, buffer_quantity, share, ats_quantity, channel_allocated_quantity, target_quantity,"
        " facts_version, rule_ids, build_id)"
        " select 'HV-' || number, channel, 9, 0, 0, 9, 0, 0, 9, 0, 0, 9, 0, 1, 9, 0,"
        f" case when channel = 'shopify_outlet' and number <= {spoilt} then 8 else 9 end, 'v', '[]', {build_id}"
        " from generate_series(1, 200) as number"
        " cross join (values ('shopify_main'), ('shopify_outlet')) as channels (channel)",
    )  # fmt: skip


def test_too_much_in_quarantine_stops_that_channel_only(built: ConnectionDetails, tmp_path: Path) -> None:
    """A tenth of a channel's rows wrong is not the rows' fault; the other channel is well.

    It is the share of that channel's rows: of all rows of a large tenant a small channel would never be enough.
    """
    folder = _suites(tmp_path, "inventory/ats_positions.yml")
    _many_positions(built, 2, spoilt=20)
    report = _gate(built, folder)
    assert report.stopped == ("shopify_outlet",)
    assert _rows(built, "select target_system, rule_id, reason from gates.stops where released_at is null") == [
        (
            "shopify_outlet",
            "ats_positions.quarantine_share",
            "20 of 200 rows of marts.ats_positions are in quarantine, more than 2.0%",
        )
    ]
    _many_positions(built, 3, spoilt=0)
    assert _gate(built, folder).resumed == ("shopify_outlet",)
    assert _rows(built, "select count(*) from gates.stops where released_at is null") == [(0,)]


def test_a_few_quarantined_rows_do_not_stop_a_small_channel(built: ConnectionDetails, tmp_path: Path) -> None:
    """One of three rows is a third, and still one row."""
    _many_positions(built, 2, spoilt=19)
    assert _gate(built, _suites(tmp_path, "inventory/ats_positions.yml")).stopped == ()


def test_more_failing_rows_than_can_be_quarantined_stop_everything(
    built: ConnectionDetails, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred thousand quarantined rows help nobody; the stop says how many there were."""
    monkeypatch.setattr(ledger, "LARGEST_QUARANTINE", 50)
    folder = _suites(tmp_path, "inventory/ats_positions.yml")
    _many_positions(built, 2, spoilt=60)
    report = _gate(built, folder)
    assert (report.quarantined_count, report.stopped) == (0, ("all channels",))
    assert "60 rows" in read_gate_status(built).stops[0].reason


def test_a_total_that_fell_far_stops_until_a_person_accepts_it(built: ConnectionDetails, tmp_path: Path) -> None:
    """A source that answers zeros must not empty the channels; a true sell-off must not need a new rule."""
    folder = _suites(tmp_path, "inventory/ats_positions.yml")
    _many_positions(built, 2, spoilt=0)
    assert _gate(built, folder).stopped == ()
    deletion = "delete from marts.ats_positions where sku <> all (select 'HV-' || n from generate_series(1, 50) as n)"
    _build(built, 3, deletion)
    report = _gate(built, folder)
    assert report.stopped == ("all channels",)
    assert {failure.rule_id for failure in report.failed} == {
        "ats_positions.not_collapsed",
        "ats_positions.total_not_collapsed",
    }
    reasons = {stop.rule_id: stop.reason for stop in read_gate_status(built).stops}
    assert reasons["ats_positions.not_collapsed"].endswith(" Now: 100; 400 passed last.")
    _build(built, 4)
    still = _gate(built, folder)  # by the same two stops: the total that failed did not become the measure
    assert (still.stopped, still.open_stops) == ((), ("all channels",))
    assert len(read_gate_status(built).stops) == 2
    assert accept_total(built, "ats_positions.not_collapsed", actor="ann", reason="range closed") == 100
    assert accept_total(built, "ats_positions.total_not_collapsed", actor="ann", reason="range closed") == 900
    assert read_gate_status(built).stops == []
    _build(built, 5)
    assert _gate(built, folder).failed == ()
    accepted = _rows(built, "select actor, reason from audit.events where action = 'total_accepted'")
    assert accepted == [("ann", "range closed")] * 2
    # The rule applies from 100 rows, and 100 were accepted: what was accepted is guarded as what it took the place of.
    _build(built, 6, deletion.replace("50", "24"))
    assert [failure.rule_id for failure in _gate(built, folder).failed] == ["ats_positions.not_collapsed"]


def test_a_total_that_failed_no_rule_cannot_be_accepted(built: ConnectionDetails, levels: Path) -> None:
    """Or a typing error would loosen another rule."""
    _gate(built, levels)
    with pytest.raises(Permanent, match="no total fails"):
        accept_total(built, "stock_levels.not_collapsed", actor="ann", reason="a slip")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ("alter table canonical.stock_levels rename column as_of to seen_at", "has no column as_of"),
        ("alter table canonical.stock_levels rename column base_quantity to base", "base_quantity does not exist"),
        ("drop table canonical.stock_levels", "does not exist"),
        ("alter table canonical.stock_levels alter column sku type bytea using sku::bytea", "stock_levels.yml"),
    ],
)
def test_a_suite_that_cannot_run_stops_everything_and_hinders_no_other(
    built: ConnectionDetails, tmp_path: Path, spoil: str, said: str
) -> None:
    """What was not validated did not pass; the message names the file."""
    folder = _suites(tmp_path, "inventory/stock_levels.yml", "any/locations.yml")
    _build(built, 2, spoil)
    report = _gate(built, folder)
    assert [failure.rule_id for failure in report.failed] == ["stock_levels.suite_runs"]
    assert "expectations/inventory/stock_levels.yml" in str(report.failed[0].error)
    assert said in str(report.failed[0].error)
    assert report.stopped == ("all channels",)
    assert report.expectation_count == 4


@pytest.mark.parametrize("broken", ["any/locations.yml", "inventory/stock_levels.yml"])
def test_a_suite_that_cannot_be_read_stops_everything_until_it_can(
    built: ConnectionDetails, tmp_path: Path, broken: str
) -> None:
    """A broken file is a gate that is not there. The other gates are: whoever mends it must see what they found."""
    folder = _suites(tmp_path, "any/locations.yml", "inventory/stock_levels.yml")
    path = folder / broken
    whole = path.read_text()
    path.write_text("expectations: [", encoding="utf-8")
    report = _gate(built, folder, "broken")
    assert report.stopped == ("all channels",)
    assert str(path) in str(report.failed[0].error)
    assert {rule_id.partition(".")[0] for rule_id in _statuses(built, "broken")} == {"locations", "stock_levels"} - {
        path.stem
    }
    path.write_text(whole, encoding="utf-8")
    assert _gate(built, folder).resumed == ("all channels",)


def test_a_folder_without_suites_is_refused(built: ConnectionDetails, tmp_path: Path) -> None:
    """Nothing gated must never pass for everything passed."""
    with pytest.raises(Permanent, match="nothing would be gated"):
        _gate(built, tmp_path)


def test_a_run_that_dies_before_its_end_leaves_no_trace_and_is_run_again(
    built: ConnectionDetails, levels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Verdicts, quarantine and the mark that the build is gated are one transaction."""
    _build(built, 2, SPOIL % 2)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(ledger.Ledger, "close", die)
        with pytest.raises(KeyboardInterrupt):
            _gate(built, levels)
    assert _rows(built, "select count(*) from gates.quarantine") == [(0,)]
    assert not _gate(built, levels).is_skipped
    assert len(_quarantined(built)) == 1


def test_keys_with_odd_characters_are_quarantined_as_they_are(built: ConnectionDetails, levels: Path) -> None:
    """Percent signs, quotes, braces and colons come from real product numbers."""
    odd = """5% 'x' {y}:z\\\\"""
    with connect(built, None) as connection:
        product = {"sku": odd, "title": "t", "category": "c", "is_active": True, "source_system_id": "netsuite"}
        insert_rows(connection, "products", product | {"build_id": 1})
        connection.execute(
            "update canonical.stock_levels set sku = %s, damaged_quantity = -1 where sku = 'HV-00001'", (odd,)
        )
    _gate(built, levels)
    assert _quarantined(built)[0][:2] == (f"{odd}|WH-EAST", odd)


def test_every_verdict_is_kept_and_the_newest_are_shown(built: ConnectionDetails, levels: Path) -> None:
    """The page shows one verdict a rule, however many there were."""
    _gate(built, levels)
    _build(built, 2, SPOIL % 2)
    _gate(built, levels)
    shown = read_gate_status(built)
    assert len(shown.verdicts) == 12
    failed = [verdict for verdict in shown.verdicts if verdict.is_failing]
    assert [(verdict.rule_id, verdict.quarantined_count) for verdict in failed] == [
        ("stock_levels.damaged_not_negative", 1)
    ]
    assert list(failed[0].sample) == ["HV-00001|WH-EAST"]
    assert shown.quarantined_count == 1
    assert shown.last_run is not None
    assert (shown.last_run.build_id, shown.last_run.newest_build_id) == (2, 2)


def test_the_transformer_is_who_validates(built: ConnectionDetails, levels: Path) -> None:
    """Not the login: a suite's SQL runs with the least rights that do."""
    with connect(built, None) as connection:
        connection.execute("create table canonical.secrets (sku text, build_id bigint)")
        transformer = sql.Identifier(role_name(str(built.schema), Role.TRANSFORMER))
        connection.execute(sql.SQL("revoke all on canonical.secrets from {}").format(transformer))
    suite = levels / "inventory" / "stock_levels.yml"
    suite.write_text(
        suite.read_text().replace("from canonical.products as product", "from canonical.secrets as product")
    )
    report = _gate(built, levels)
    assert "permission denied" in str(report.failed[0].error)
    with connect(built, Role.OPERATOR) as connection:
        assert connection.execute("select count(*) from gates.results").fetchone() == (1,)


def test_a_million_rows_would_be_validated_without_reading_one(
    built: ConnectionDetails, levels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Great Expectations runs a query whole to learn its columns; that must never be the query itself."""
    from trueup.gates.validator import Validator

    sent: list[str] = []
    ask = Validator._ask_names_only

    def listen(validator: Validator, connection: object, cursor: object, statement: str, *more: object) -> object:
        changed = ask(validator, connection, cursor, statement, *more)
        sent.append(changed[0])
        return changed

    monkeypatch.setattr(Validator, "_ask_names_only", listen)
    _gate(built, levels)
    whole = [statement for statement in sent if statement.startswith("select subject.*")]
    assert whole
    assert all(statement.endswith("limit 0") for statement in whole)


def _statuses(details: ConnectionDetails, run_id: str) -> dict[str, str]:
    """What a run kept of each rule, without the suite's own."""
    with connect(details, None) as connection:
        rows = connection.execute(
            "select rule_id, status from gates.results where run_id = %s and owner <> 'trueup'", (run_id,)
        ).fetchall()
    return {str(rule_id): str(status) for rule_id, status in rows}


def test_what_there_is_nothing_to_validate_of_is_not_applicable(built: ConnectionDetails, tmp_path: Path) -> None:
    """Where every listing is true there is no difference: its largest age is none, and none is not too large."""
    folder = _suites(tmp_path, "inventory/stock_differences.yml", "inventory/stock_changes.yml")
    _build(built, 2, "delete from reconciliation.stock_differences", "delete from outbox.stock_changes")
    report = _gate(built, folder, "empty", is_full=True)
    statuses = _statuses(built, "empty")
    assert set(statuses.values()) == {"not_applicable"}
    assert (report.failed, report.not_applicable_count, report.expectation_count) == ((), len(statuses), len(statuses))
    shown = read_gate_status(built)
    assert [verdict for verdict in shown.verdicts if verdict.is_failing] == []


def test_no_value_among_rows_is_not_applicable_either(built: ConnectionDetails, tmp_path: Path) -> None:
    """Differences without an open correction have no age in the queue."""
    folder = _suites(tmp_path, "inventory/stock_differences.yml")
    _build(built, 2, "update reconciliation.stock_differences set age_queue_seconds = null, build_id = 2")
    assert _gate(built, folder, "none waits").failed == ()
    statuses = _statuses(built, "none waits")
    assert statuses.pop("stock_differences.corrected_in_time") == "not_applicable"
    assert set(statuses.values()) == {"passed"}
    _build(built, 3, "update reconciliation.stock_differences set age_queue_seconds = 1e6, build_id = 3")
    assert [failure.rule_id for failure in _gate(built, folder).failed] == ["stock_differences.corrected_in_time"]


def test_a_total_of_which_nothing_is_left_has_failed(built: ConnectionDetails, tmp_path: Path) -> None:
    """An empty table is the worst loss, not the absence of one; and a person can accept it."""
    folder = _suites(tmp_path, "inventory/ats_positions.yml")
    _many_positions(built, 2, spoilt=0)
    _gate(built, folder)
    _build(built, 3, "delete from marts.ats_positions")
    report = _gate(built, folder, "emptied")
    failed = {"ats_positions.not_collapsed", "ats_positions.total_not_collapsed"}
    assert {failure.rule_id for failure in report.failed} == failed
    assert report.stopped == ("all channels",) * 1
    assert {rule for rule, status in _statuses(built, "emptied").items() if status == "failed"} == failed
    for rule_id in sorted(failed):
        assert accept_total(built, rule_id, actor="ann", reason="everything is sold") == 0
    assert read_gate_status(built).stops == []


def test_a_warning_passes_once_its_rows_are_mended_by_going_away(built: ConnectionDetails, tmp_path: Path) -> None:
    """A run after a build looks at new rows only: what failed before would be shown as failing for ever."""
    folder = _suites(tmp_path, "inventory/stock_differences.yml")
    _gate(built, folder)
    spoilt = "update reconciliation.stock_differences set age_landing_seconds = -1, build_id = 2"
    _build(built, 2, spoilt + " where subject_key = 'HV-00001'")
    assert [failure.rule_id for failure in _gate(built, folder).failed] == ["stock_differences.ages_not_negative"]
    _build(built, 3, "update reconciliation.stock_differences set build_id = 3 where subject_key = 'HV-00002'")
    still = _gate(built, folder)
    assert [failure.rule_id for failure in still.failed] == ["stock_differences.ages_not_negative"]
    _build(built, 4, "delete from reconciliation.stock_differences where subject_key = 'HV-00001'")
    assert _gate(built, folder, "mended").failed == ()
    assert _statuses(built, "mended")["stock_differences.ages_not_negative"] == "passed"
    _build(built, 5, "update reconciliation.stock_differences set age_landing_seconds = -1, build_id = 5")
    _gate(built, folder)
    _build(built, 6, "delete from reconciliation.stock_differences")
    assert _gate(built, folder, "gone").failed == ()
    assert _statuses(built, "gone")["stock_differences.ages_not_negative"] == "not_applicable"


def test_a_wanted_correction_that_is_gone_holds_nothing_back(built: ConnectionDetails, tmp_path: Path) -> None:
    """The view is empty when all is true: its quarantine must not wait for the night's full run."""
    folder = _suites(tmp_path, "inventory/stock_changes.yml")
    _build(built, 2, "update outbox.stock_changes set desired = '2000000' where subject_key = 'HV-00001'")
    assert _gate(built, folder).quarantined_count == 1
    _build(built, 3, "delete from outbox.stock_changes")
    assert _gate(built, folder).released_count == 1
    assert _quarantined(built) == []


def test_nothing_is_let_go_by_a_second_run_whose_suite_cannot_be_read(built: ConnectionDetails, tmp_path: Path) -> None:
    """The run that finds the file broken stops everything; the one after it, over other builds, changes nothing."""
    folder = _suites(tmp_path, "inventory/stock_levels.yml", "inventory/ats_positions.yml", "any/locations.yml")
    _many_positions(built, 2, spoilt=20)
    with connect(built, None) as connection:
        connection.execute((SPOIL % 2).encode())
    assert _gate(built, folder).stopped == ("shopify_outlet",)
    quarantined = _quarantined(built)
    assert len(quarantined) == 21
    names = ("inventory/stock_levels.yml", "inventory/ats_positions.yml")
    whole = {name: (folder / name).read_text() for name in names}
    for name in whole:
        (folder / name).write_text("expectations: [", encoding="utf-8")
    for build_id in (3, 4):
        _build(built, build_id, MEND % build_id)
        report = _gate(built, folder, is_full=build_id == 4)
        assert report.open_stops == ("all channels", "shopify_outlet")
        assert report.released_count == 0
        assert _quarantined(built) == quarantined
    for name, text in whole.items():
        (folder / name).write_text(text, encoding="utf-8")
    _build(built, 5)
    mended = _gate(built, folder)
    assert (mended.resumed, mended.open_stops, mended.released_count) == (("all channels",), ("shopify_outlet",), 1)


def test_a_table_that_is_gone_while_its_rows_are_quarantined_fails_its_suite_alone(
    built: ConnectionDetails, tmp_path: Path
) -> None:
    """Its quarantine stays, nothing is counted in it, and the other suites are validated."""
    folder = _suites(tmp_path, "inventory/ats_positions.yml", "any/locations.yml")
    _many_positions(built, 2, spoilt=20)
    _gate(built, folder)
    quarantined = _quarantined(built)
    for build_id, spoil in ((3, "drop table marts.ats_positions"), (4, "select 1")):
        _build(built, build_id, spoil)
        report = _gate(built, folder)
        assert [failure.rule_id for failure in report.failed] == ["ats_positions.suite_runs"]
        assert report.open_stops == ("all channels", "shopify_outlet")
        assert _quarantined(built) == quarantined


def test_a_rule_that_cannot_be_asked_is_an_error_and_lets_nothing_go(built: ConnectionDetails, levels: Path) -> None:
    """Neither passed nor failed: what it quarantined stays there, and what the others found is kept."""
    _build(built, 2, SPOIL % 2)
    _gate(built, levels)
    for build_id in (3, 4):
        _build(built, build_id, "alter table canonical.stock_levels alter column damaged_quantity type text")
        report = _gate(built, levels, f"run {build_id}", is_full=True)
        assert [failure.rule_id for failure in report.failed] == ["stock_levels.suite_runs"]
        assert len(_quarantined(built)) == 1
    assert read_gate_status(built).stops[0].rule_id == "stock_levels.suite_runs"


def _failing_with(cause: Exception | None) -> Callable[..., None]:
    from great_expectations.exceptions import GreatExpectationsError

    def fail(*_: object) -> None:
        raise GreatExpectationsError("it broke") from cause

    return fail


def test_a_lost_warehouse_is_tried_again(
    built: ConnectionDetails, levels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop for want of a connection would have to be explained to people."""
    from sqlalchemy.exc import OperationalError

    from trueup.gates.validator import Validator

    monkeypatch.setattr(Validator, "_validate", _failing_with(OperationalError("select", {}, OSError())))
    with pytest.raises(Transient, match="the warehouse was lost"):
        _gate(built, levels)


def test_a_suite_that_breaks_great_expectations_is_its_own_failure(
    built: ConnectionDetails, levels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trying again cannot help there, and the other suites are to be validated."""
    from trueup.gates.validator import Validator

    monkeypatch.setattr(Validator, "_validate", _failing_with(None))
    assert [failure.rule_id for failure in _gate(built, levels).failed] == ["stock_levels.suite_runs"]
