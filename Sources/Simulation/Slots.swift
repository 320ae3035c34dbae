// A slab: payloads of events in flight, found by a number that fits into an event.

/// Values with small numbers, which are given again once removed.
struct Slots<Element> {
    private var elements: [Element?] = []
    private var free: [UInt32] = []

    /// Values held at present.
    var count: Int { elements.count - free.count }
    /// Every number in use is below it.
    var bound: Int { elements.count }

    mutating func insert(_ element: Element) -> UInt32 {
        if let number = free.popLast() {
            elements[Int(number)] = element
            return number
        }
        elements.append(element)
        return UInt32(elements.count - 1)
    }

    /// - Precondition: the number is in use.
    mutating func remove(_ number: UInt32) {
        precondition(elements[Int(number)] != nil, "a slot was freed twice")
        elements[Int(number)] = nil
        free.append(number)
    }

    /// Nil for a number that is not in use.
    func find(_ number: UInt32) -> Element? { elements[Int(number)] }

    /// - Precondition: the number is in use.
    subscript(number: UInt32) -> Element {
        get {
            guard let element = elements[Int(number)] else { preconditionFailure("a slot was used after it was freed") }
            return element
        }
        _modify {
            guard var element = elements[Int(number)] else {
                preconditionFailure("a slot was used after it was freed")
            }
            elements[Int(number)] = nil
            defer { elements[Int(number)] = element }
            yield &element
        }
    }
}
