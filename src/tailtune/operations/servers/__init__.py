"""Servers and a worker as processes of this machine: started together, watched until they answer, stopped in order."""
