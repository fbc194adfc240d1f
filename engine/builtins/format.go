package builtins

func registerFormat(r registry) {}
