"""The paper's comparisons as commands: variants trained and measured in one harness, tables and plots."""
