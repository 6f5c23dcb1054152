"""What tests share: a whole world on real parts, and loopback stand-ins for vendors."""
