package builtins

type regexCache struct{}
