# One image for every Airflow component: the locked environment, the package, the DAGs and the dbt project.
FROM python:3.11.14-slim-bookworm@sha256:65a93d69fa75478d554f4ad27c85c1e69fa184956261b4301ebaf6dbb0a3543d

ENV PYTHONUNBUFFERED=1 \
    AIRFLOW_HOME=/opt/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/trueup/dags \
    AIRFLOW__CORE__LOAD_EXAMPLES=False \
    TRUEUP_TENANTS_FOLDER=/opt/trueup/tenants \
    TRUEUP_STATE_FOLDER=/opt/airflow/trueup \
    DBT_SEND_ANONYMOUS_USAGE_STATS=false \
    GX_ANALYTICS_ENABLED=false \
    PATH=/opt/trueup/.venv/bin:$PATH

COPY requirements.uv.lock /tmp/
RUN pip install --no-cache-dir --require-hashes -r /tmp/requirements.uv.lock \
    && useradd --create-home --uid 50000 airflow \
    && mkdir -p /opt/airflow/config /opt/airflow/logs /opt/airflow/trueup /opt/trueup \
    && chown -R airflow /opt/airflow /opt/trueup

USER airflow
WORKDIR /opt/trueup

# The environment first: it changes least.
COPY --chown=airflow requirements.lock ./
RUN uv venv --quiet .venv && VIRTUAL_ENV=.venv uv pip sync --quiet --no-cache --require-hashes requirements.lock

COPY --chown=airflow pyproject.toml README.md ./
COPY --chown=airflow plugins plugins
COPY --chown=airflow dbt_project dbt_project
COPY --chown=airflow expectations expectations
COPY --chown=airflow dags dags
COPY --chown=airflow tenants tenants
RUN VIRTUAL_ENV=.venv uv pip install --quiet --no-deps --editable . \
    && cp plugins/trueup/orchestration/airflow_local_settings.py /opt/airflow/config/airflow_local_settings.py
