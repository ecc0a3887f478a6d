"""EnableX's sample in Python: the key derivation by hand, AES by cryptography, and SQS by boto3, which Lambda has."""

import hashlib
import json
import os

import boto3
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

sqs = boto3.client("sqs")


def key_and_iv(password):
    """OpenSSL's EVP_BytesToKey with MD5, without salt."""
    derived = block = b""
    while len(derived) < 48:
        block = hashlib.md5(block + password.encode()).digest()
        derived += block
    return derived[:32], derived[32:]


def handler(request):
    data = bytes.fromhex(json.loads(request["body"])["encrypted_data"])
    key, iv = key_and_iv(os.environ["ENABLEX_APP_ID"])
    decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    unpadder = PKCS7(128).unpadder()
    text = unpadder.update(decryptor.update(data) + decryptor.finalize()) + unpadder.finalize()
    event = json.loads(text)
    print("event", event.get("state"))
    sqs.send_message(
        QueueUrl=os.environ["QUEUE_URL"],
        MessageBody=json.dumps(event),
        MessageGroupId=event["voice_id"],
        MessageDeduplicationId=hashlib.md5(text).hexdigest(),
    )
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": "{}"}
