"""References to pictures that no Label Studio sends, and that must do no harm."""

ODD_REFERENCES = [
    "http://a..example.com/x.png",
    f"http://{'a' * 64}.example.com/x.png",
    f"http://{'a.' * 200}example.com/x.png",
    "http://\ud800.example.com/x.png",
    "http://a.example.com/\ud800.png",
    "http://a.example.com:99999/x.png",
    "http://[::1.example.com/x.png",
    "http://a.example.com/" + "x" * 20_000,
    "/data/\ud800.png",
    "s3://bucket/\ud800.png",
    "file:///\ud800.png",
    "file:///a\0b.png",
    "file://[/a.png",
    "data:\ud800,\ud800",
    "data:image/png;base64,\ud800",
    "\ud800",
]
