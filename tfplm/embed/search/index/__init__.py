"""Vector indexes: exact, Faiss, Milvus."""
