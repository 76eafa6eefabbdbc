"""Fixtures of reporting: a real S3 over HTTP."""

import boto3
import pytest
from moto.server import ThreadedMotoServer

from reporting.lake import storage


@pytest.fixture(scope="session")
def s3_server():
    """The address of an S3 server on the loopback interface."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_server, settings):
    """A client of the S3 server, on which there is an empty bucket ``lake``; the settings point to it."""
    settings.AWS_S3_ENDPOINT_URL = s3_server
    storage._bucket.cache_clear()
    client = boto3.client("s3", endpoint_url=s3_server, region_name="us-east-1")
    client.create_bucket(Bucket="lake")
    yield client
    for item in client.list_objects_v2(Bucket="lake").get("Contents", []):
        client.delete_object(Bucket="lake", Key=item["Key"])
    client.delete_bucket(Bucket="lake")
    client.close()
    storage._bucket.cache_clear()
