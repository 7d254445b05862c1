"""How the encoders that come with the package were trained, on drawings and generated texts."""
