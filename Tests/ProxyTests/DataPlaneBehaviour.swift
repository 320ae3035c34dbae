// What the data plane does, as its clients and endpoints see it: through real
// sockets, on a data plane in this process.
//
// One suite after the other: each has the processor to itself, as some look at how
// a stream is held up, and none is changed by what the others have opened.

import Testing

@Suite("The data plane", .serialized)
enum DataPlaneBehaviour {}
