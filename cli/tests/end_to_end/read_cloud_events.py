"""Reads CloudEvents in structured mode with the CloudEvents SDK, which refuses what is none, and prints them as JSON.

    read_cloud_events.py CONTENT_TYPE BODY [CONTENT_TYPE BODY]...
"""

import json
import sys

from cloudevents.core.bindings.http import HTTPMessage, from_http_event

arguments = sys.argv[1:]
events = []
for content_type, body in zip(arguments[::2], arguments[1::2], strict=True):
    event = from_http_event(HTTPMessage({"content-type": content_type}, body.encode()))
    events.append({
        "specversion": event.get_specversion(),
        "id": event.get_id(),
        "source": event.get_source(),
        "type": event.get_type(),
        "subject": event.get_subject(),
        "time": event.get_time().isoformat(),
        "datacontenttype": event.get_datacontenttype(),
        "data": event.get_data(),
    })
print(json.dumps(events))
