"""The ingest snippet of a platform that works on its customers' media: only base URL, token and names come from the environment."""

import os
import sys

import httpx

http = httpx.Client()

response = http.post(
    f"{os.environ['PORTCULLIS_URL']}/api/v1/ingestion/assets",
    headers={
        "authorization": f"Bearer {os.environ['PORTCULLIS_TOKEN']}"
    },
    json={
        "dataset_id": os.environ["DATASET_ID"],  # Replace this with your real dataset ID
        "connection_name": os.environ["CONNECTION_NAME"],  # Key part here
        "assets": [
            {
                "source_path": os.environ["SOURCE_PATH"],  # Replace this with your real source_path
                "metadata": {
                    "label": "example"
                }
            }
        ]
    }
)

print(response.text)
sys.exit(response.status_code != 202)
