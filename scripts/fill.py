#!/usr/bin/env python3
"""Fills an AWS-compatible endpoint (ministack) with a fixture of the tests.

Usage: fill.py ENDPOINT < fixture.json > keys.json

The fixture is the one that fills our own double (tests/src/aws/fixture.rs). Prints the access keys that the endpoint made,
as {"<account>/<user>": {"access_key_id": …, "secret_access_key": …}}.
"""

import base64
import json
import sys

import boto3
from botocore.config import Config

CONFIG = Config(connect_timeout=5, read_timeout=20, retries={"max_attempts": 2}, s3={"addressing_style": "path"})


def client(service, endpoint, account, region):
    """An account's root: ministack takes the account's number as the access key."""
    return boto3.client(
        service, endpoint_url=endpoint, region_name=region, config=CONFIG, aws_access_key_id=account, aws_secret_access_key="test"
    )


def body(item):
    if "base64" in item:
        return base64.b64decode(item["base64"], validate=True)
    if "file" in item:
        with open(item["file"], "rb") as file:
            return file.read()
    return item["text"].encode()


def fill(endpoint, fixture):
    keys = {}
    for account in fixture["accounts"]:
        iam = client("iam", endpoint, account["id"], "us-east-1")
        for user in account.get("users", []):
            iam.create_user(UserName=user["name"])
            if user.get("policy"):
                iam.put_user_policy(UserName=user["name"], PolicyName="fixture", PolicyDocument=json.dumps(user["policy"]))
            key = iam.create_access_key(UserName=user["name"])["AccessKey"]
            keys[f"{account['id']}/{user['name']}"] = {"access_key_id": key["AccessKeyId"], "secret_access_key": key["SecretAccessKey"]}
        for role in account.get("roles", []):
            path, _, name = role["name"].rpartition("/")
            iam.create_role(
                RoleName=name,
                Path=f"/{path}/" if path else "/",
                AssumeRolePolicyDocument=json.dumps(role["trust"]),
                MaxSessionDuration=role.get("max_session", 3600),
            )
            if role.get("policy"):
                iam.put_role_policy(RoleName=name, PolicyName="fixture", PolicyDocument=json.dumps(role["policy"]))
        for bucket in account.get("buckets", []):
            s3 = client("s3", endpoint, account["id"], bucket["region"])
            where = {} if bucket["region"] == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": bucket["region"]}}
            s3.create_bucket(Bucket=bucket["name"], **where)
            for item in bucket.get("objects", []):
                kind = {"ContentType": item["content_type"]} if item.get("content_type") else {}
                s3.put_object(Bucket=bucket["name"], Key=item["key"], Body=body(item), **kind)
            if bucket.get("policy"):
                s3.put_bucket_policy(Bucket=bucket["name"], Policy=json.dumps(bucket["policy"]))
    return keys


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    json.dump(fill(sys.argv[1], json.load(sys.stdin)), sys.stdout)
