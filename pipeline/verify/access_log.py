"""Would S3 deliver the bucket's access log? It reports no error where it can't."""

from typing import Any

from botocore.exceptions import ClientError

from pipeline.deployed import aws
from pipeline.deployed.policies import admits
from pipeline.deployed.session import DriftError, FailingError, NotCheckedError, Session
from pipeline.errors import PipelineError

_SERVICE = "logging.s3.amazonaws.com"
# The older way in, which counts where the log bucket has access control lists.
_GROUP = "http://acs.amazonaws.com/groups/s3/LogDelivery"


def access_log(session: Session) -> str:
    """The bucket logs to the one that the stack names, which lets S3 write and uses SSE-S3."""
    name = session.target.outputs.get("access_log_bucket")
    if not name:
        raise NotCheckedError("the stack has none")
    s3, bucket = session.client("s3"), session.target.bucket_name
    logging = s3.get_bucket_logging(Bucket=bucket).get("LoggingEnabled", {})
    if logging.get("TargetBucket") != name:
        raise DriftError(f"The bucket {bucket} does not log its requests to {name}")
    try:
        algorithm = _algorithm(s3, name)
        if not _lets_in(session, s3, name):
            raise FailingError(
                f"The bucket {name} gets no access log, since its policy does not let {_SERVICE} "
                f"put objects for {session.bucket_arn}: let its owner allow s3:PutObject."
            )
    except ClientError as error:
        fix = "name an existing one in bucket.access_log"
        said = aws.sentence(error, f"the log bucket {name}", fix)
        if aws.is_gone(error):
            raise FailingError(said) from error
        raise PipelineError(said) from error
    if algorithm != "AES256":
        raise FailingError(
            f"The bucket {name} gets no access log, since S3 delivers none to a bucket encrypted "
            f"with {algorithm}: let its owner choose SSE-S3, or name another in bucket.access_log."
        )
    return f"{name} takes the access log"


def _algorithm(s3: Any, bucket: str) -> str:
    try:
        answer = s3.get_bucket_encryption(Bucket=bucket)
    except ClientError as error:
        if aws.code(error) == "ServerSideEncryptionConfigurationNotFoundError":
            return "AES256"
        raise
    (rule, *_) = answer["ServerSideEncryptionConfiguration"]["Rules"]
    return str(rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"])


def _lets_in(session: Session, s3: Any, bucket: str) -> bool:
    try:
        policy = str(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    except ClientError as error:
        if aws.code(error) != "NoSuchBucketPolicy":
            raise
        policy = ""
    if admits(policy, _SERVICE, "s3:PutObject", session.bucket_arn, session.account):
        return True
    grants = s3.get_bucket_acl(Bucket=bucket)["Grants"]
    return any(
        each["Grantee"].get("URI") == _GROUP and each["Permission"] in ("WRITE", "FULL_CONTROL")
        for each in grants
    )
