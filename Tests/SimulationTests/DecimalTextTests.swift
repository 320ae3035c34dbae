import Testing

@testable import Simulation

struct DecimalTextTests {
    @Test(
        "A number is written with about three digits and never with an exponent",
        arguments: [
            (0, "0"), (1, "1"), (1.5819767, "1.58"), (-1.5819767, "-1.58"), (12.44, "12.4"), (999.6, "1000"),
            (1024, "1024"), (123_456.7, "123457"), (0.5, "0.5"), (0.00421, "0.00421"), (0.1, "0.1"), (0.09996, "0.1"),
            (100, "100"), (1e-9, "0.000000001"), (1e-30, "0"), (-1e-30, "0"), (.infinity, "-"), (.nan, "-"),
        ])
    func significant(value: Double, text: String) {
        #expect(value.written() == text)
    }

    @Test(
        "A number of places is a limit, not a demand",
        arguments: [(2.5, 0, "3"), (2.25, 1, "2.3"), (2, 3, "2"), (0.04, 1, "0"), (-0.04, 1, "0"), (1.005, 2, "1")])
    func places(value: Double, places: Int, text: String) {
        #expect(value.written(places: places) == text)
    }

    @Test("A number beyond all integers is written as Swift writes it")
    func beyondIntegers() {
        #expect(1e30.written() == "1e+30")
    }
}
