"""The control endpoints and the emulator's web page."""
