"""Landing: immutable, content-addressed Parquet batches and the log of their assertions.

Nothing here judges a batch; what arrives has passed the guard (``orchestration.quality``).
"""

from orchestration.landing.load_log import Assertion, LoadLog
from orchestration.landing.storage import StorageFailed
from orchestration.landing.store import Landing, content_hash

__all__ = ["Assertion", "Landing", "LoadLog", "StorageFailed", "content_hash"]
