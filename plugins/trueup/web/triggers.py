"""Triggers a DAG from inside the web server: an event of an asset that the DAG is scheduled by."""

from airflow.assets.manager import asset_manager
from airflow.models.asset import AssetDagRunQueue, AssetModel
from airflow.utils.session import create_session
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from trueup.connectors.webhooks import Notice
from trueup.domain.errors import Transient
from trueup.pipeline.triggers import webhook_asset_name


def trigger_poll(tenant: str, system: str, notice: Notice) -> None:
    """Have `<tenant>.land.<system>` run as soon as it may.

    A thousand webhooks before it does are one run and one event: the poll sees everything that they report.
    Raises `Transient` where no DAG is scheduled by it yet.
    """
    name, uri = webhook_asset_name(tenant, system)
    try:
        _add_event(name, uri, notice, tenant, system)
    except SQLAlchemyError as error:
        raise Transient(
            f"Airflow's database did not store the trigger: {type(error).__name__}; check that it runs"
        ) from error


def _add_event(name: str, uri: str, notice: Notice, tenant: str, system: str) -> None:
    with create_session() as session:
        asset = session.scalar(select(AssetModel).where(AssetModel.name == name, AssetModel.uri == uri))
        if asset is None:
            raise Transient(f"no DAG of {tenant} is triggered by {system}; check that the DAG exists and is not paused")
        waiting = select(AssetDagRunQueue.asset_id).where(AssetDagRunQueue.asset_id == asset.id).limit(1)
        if session.scalar(waiting) is None:
            extra = {"topic": notice.topic, "notice_id": notice.notice_id}
            asset_manager.register_asset_change(asset=asset, extra=extra, session=session)
