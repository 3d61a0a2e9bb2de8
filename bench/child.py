"""Run one handler in this process and print what it took, as JSON.

    python bench/child.py cold|another FOLDER
    python bench/child.py warm FOLDER ROUNDS
    python bench/child.py batch FOLDER ROUNDS

FOLDER holds a `lambda_function.py`. Imports what AWS's runtime has imported before a function
(`awslambdaric` 4.2.2), and nothing else, since imports are what is measured.
"""

import decimal  # noqa: F401
import enum  # noqa: F401
import importlib  # noqa: F401
import json
import logging  # noqa: F401
import math  # noqa: F401
import os  # noqa: F401
import sys
import time
import traceback  # noqa: F401

sys.path.insert(0, sys.argv[2])


class Context:
    """As much of Lambda's context as a handler needs."""

    function_name = "S3ToDynamoProcessor"
    aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"

    def get_remaining_time_in_millis(self) -> int:
        """Always plenty."""
        return 30_000


def record(number: int) -> object:
    """A record of an S3 notification."""
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": "2026-11-22T09:40:00.123Z",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "AWS:AIDAJDPLRKLG7UEXAMPLE"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810", "x-amz-id-2": "FMyUVURIY8/"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "all",
            "bucket": {"name": "uploads", "arn": "arn:aws:s3:::uploads"},
            "object": {
                "key": f"incoming/2026/11/22/photo+{number:06}.jpg",
                "size": 184662,
                "eTag": "4e68adba0abe2dc8653dc3354e14c01d",
                "versionId": f"3sL4kqtJlcpXroDTDmJ{number:06}",
                "sequencer": f"006408CAD69598{number:04X}",
            },
        },
    }


def cold() -> dict[str, float]:
    """CPU seconds of the import and of the first call, and the process's peak memory in bytes."""
    start = time.process_time()
    import lambda_function

    imported = time.process_time()
    lambda_function.lambda_handler({"Records": [record(0)]}, Context())
    called = time.process_time()
    return {
        "import": imported - start,
        "first_call": called - imported,
        "cold": called - start,
        "memory": peak_memory(),
    }


def another() -> dict[str, float]:
    """A cold start under another name."""
    return {"another": cold()["cold"]}


def peak_memory() -> float:
    """Bytes. Not `ru_maxrss`, which a process on Linux inherits from the one that started it."""
    try:
        with open("/proc/self/status") as status:  # noqa: PTH123  (pathlib's import would count)
            return (
                float(next(line for line in status if line.startswith("VmHWM")).split()[1]) * 1024
            )
    except FileNotFoundError:
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def warm(rounds: int) -> dict[str, float]:
    """CPU seconds an event and median seconds of a call, one record each."""
    import lambda_function

    events = [{"Records": [record(number)]} for number in range(rounds + 5)]
    for event in events[:5]:
        lambda_function.lambda_handler(event, Context())
    took = []
    cpu = time.process_time()
    for event in events[5:]:
        start = time.perf_counter()
        lambda_function.lambda_handler(event, Context())
        took.append(time.perf_counter() - start)
    cpu = time.process_time() - cpu
    return {"warm_cpu": cpu / rounds, "warm_latency": sorted(took)[rounds // 2]}


def batch(rounds: int) -> dict[str, float]:
    """Seconds for 1,000 events that come in 1,000 SQS messages; the best of `rounds`."""
    import lambda_function

    def messages(first: int, count: int) -> object:
        bodies = [json.dumps({"Records": [record(first + n)]}) for n in range(count)]
        return {
            "Records": [
                {"messageId": f"m{n}", "eventSource": "aws:sqs", "body": body}
                for n, body in enumerate(bodies)
            ]
        }

    lambda_function.lambda_handler(messages(0, 1000 if rounds > 1 else 30), Context())
    best = float("inf")
    for number in range(rounds):
        event = messages(1000 * (number + 1), 1000)
        start = time.perf_counter()
        lambda_function.lambda_handler(event, Context())
        best = min(best, time.perf_counter() - start)
    return {"batch": best}


if __name__ == "__main__":
    what = sys.argv[1]
    result = (
        cold()
        if what == "cold"
        else another()
        if what == "another"
        else {"warm": warm, "batch": batch}[what](int(sys.argv[3]))
    )
    print("RESULT " + json.dumps(result))
