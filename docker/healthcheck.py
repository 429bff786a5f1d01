"""Healthy when the service of this container answers; its address is in HEALTH_URL.

The default is the health page that `prefect worker start --with-healthcheck` opens.
"""

import os
import sys
import urllib.error
import urllib.request

url = os.environ.get("HEALTH_URL", "http://127.0.0.1:8080/health")
try:
    with urllib.request.urlopen(url, timeout=10) as answer:
        sys.exit(0 if answer.status == 200 else 1)
except (urllib.error.URLError, OSError) as error:
    sys.exit(f"{url}: {error}")
