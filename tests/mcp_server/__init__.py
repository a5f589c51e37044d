"""MCP servers as processes: one made with the protocol's own library, one that speaks the bare wire and misbehaves."""
