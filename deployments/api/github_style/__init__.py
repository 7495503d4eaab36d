"""GitHub's API for deployments under /api/v3, so that its clients work with nothing but another base URL."""
