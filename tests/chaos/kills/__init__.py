"""Real kills: a real daemon, its platforms and its model as processes, kill -9 at named and at random moments."""
