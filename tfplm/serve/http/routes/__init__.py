"""HTTP interfaces, a module each with `make_api(service)`. An engine names those that it serves, see `EngineInfo`."""
