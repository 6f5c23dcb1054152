"""The figures of the README: the default journey beside a bare workflow, on one server, in one run."""
