"""What both engines use: attributes, shading, crossing keys, cameras in the local frame."""
