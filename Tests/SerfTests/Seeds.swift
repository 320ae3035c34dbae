/// What randomised tests run with; add the seed of every bug found.
let seeds: [UInt64] = [1, 2, 3, 5, 8]
