"""Vector indexes: exact, Faiss and Milvus."""
