"""vLLM's door to the cluster: ``kv_connector_module_path`` is this package."""

from kvasir.vllm.connector import KvasirConnector

__all__ = ["KvasirConnector"]
