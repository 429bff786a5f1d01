"""Make S3 buckets that do not exist yet: `python make_buckets.py ENDPOINT BUCKET...`."""

import sys

import boto3
from botocore.exceptions import ClientError

endpoint, *buckets = sys.argv[1:]
client = boto3.client("s3", endpoint_url=endpoint)
for bucket in buckets:
    try:
        client.create_bucket(Bucket=bucket)
        print(f"made bucket {bucket}")
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
            raise
        print(f"bucket {bucket} is there")
