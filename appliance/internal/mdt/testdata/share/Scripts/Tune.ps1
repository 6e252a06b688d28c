"tune"
