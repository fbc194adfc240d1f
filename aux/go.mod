module manifold/auxiliary

go 1.26.0

require (
	github.com/rs/zerolog v1.35.1
	manifold v0.0.0
)

replace manifold => ../
