"""The run store, the schema of every table, and files that appear whole or not at all."""
