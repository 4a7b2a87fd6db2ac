"""The served page under load, and with what a server may lack."""
