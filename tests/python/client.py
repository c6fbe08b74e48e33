"""What a program does with the client that was generated of the API's document: `create` prints the external id, `use` what came of it."""

import os
import sys
import time

from portcullis_client import AuthenticatedClient
from portcullis_client.api.connections import create_connection, get_connection, test_connection
from portcullis_client.api.ingestion import get_job, ingest_assets, list_job_assets
from portcullis_client.models import (
    AssetsSubmission,
    AssetsSubmissionAssetsItem,
    AssetState,
    Connection,
    ConnectionCreateAwsIamRole,
    ConnectionTest,
    ConnectorAwsIamRole,
    Job,
    JobState,
    Metadata,
)

client = AuthenticatedClient(base_url=os.environ["PORTCULLIS_URL"], token=os.environ["PORTCULLIS_TOKEN"])
bucket = os.environ["BUCKET"]
good, missing = f"s3://{bucket}/train/a.jpg", f"s3://{bucket}/train/none.jpg"
NAME = "generated_client"


def typed(answer, kind):
    assert isinstance(answer, kind), answer
    return answer


def create():
    config = ConnectorAwsIamRole(iam_role_arn=os.environ["ROLE"], bucket_name=bucket)
    body = ConnectionCreateAwsIamRole(name=NAME, type_="aws_iam_role", config=config, test_location=good)
    print(typed(create_connection.sync(client=client, body=body), Connection).external_id)


def use():
    tested = test_connection.sync(NAME, client=client, body=ConnectionTest())
    assert tested.passed, tested
    status = typed(get_connection.sync(NAME, client=client), Connection).status
    metadata = Metadata.from_dict({"label": "cat"})
    assets = [AssetsSubmissionAssetsItem(source_path=good, metadata=metadata), AssetsSubmissionAssetsItem(source_path=missing)]
    submission = AssetsSubmission(dataset_id="generated", connection_name=NAME, assets=assets)
    job = typed(ingest_assets.sync(client=client, body=submission), Job)
    deadline = time.monotonic() + 60
    while job.status not in (JobState.COMPLETED, JobState.FAILED, JobState.STOPPED):
        assert time.monotonic() < deadline, job
        time.sleep(0.05)
        job = typed(get_job.sync(job.job_id, client=client), Job)
    failed = list_job_assets.sync(job.job_id, client=client, status=AssetState.ERROR).items
    codes = {item.error.code for item in failed}
    print(f"{status}, {job.processed - job.errored} completed, {job.errored} {', '.join(codes)}")


{"create": create, "use": use}[sys.argv[1]]()
