# Both halves of Apache Thrift's cross tests in Python, with what Debian's compiler generates.
# python3 thrift-test.py GENERATED_FOLDER client PORT|server binary|compact framed|buffered
# The client ends with an error when a case fails; the server prints its port once it listens.
import math
import sys

sys.path.insert(0, sys.argv[1])
from thrift.protocol import TBinaryProtocol, TCompactProtocol
from thrift.server import TServer
from thrift.Thrift import TApplicationException, TException
from thrift.transport import TSocket, TTransport
from thrift_test import ThriftTest
from thrift_test.ttypes import Insanity, Numberz, Xception, Xception2, Xtruct, Xtruct2

UNICODE = "Afrikaans, አማርኛ, العربية, Ελληνικά, 日本語, 한국어, \U0001f600 \x00\x01\t\r\n\\\" end"


def insanity():
    return Insanity(
        userMap={Numberz.FIVE: 5, Numberz.EIGHT: 8},
        xtructs=[Xtruct("Goodbye4", 4, 4, 4), Xtruct("Hello2", 2, 2, 2)],
    )


def map_map():
    return {-4: {n: n for n in range(-4, 0)}, 4: {n: n for n in range(1, 5)}}


def raised(kind, call, *args):
    try:
        call(*args)
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was not raised")


def check(client):
    def echoes(call, *values):
        for value in values:
            got = call(value)
            assert got == value, f"{call.__name__}: {got!r:.200} is not {value!r:.200}"

    assert client.testVoid() is None
    echoes(client.testString, "", "Python" * 20, UNICODE, "x" * 1_000_000)
    echoes(client.testBool, True, False)
    echoes(client.testByte, 0, 63, -127, -128, 127)
    echoes(client.testI32, 0, -1, 2**31 - 1, -(2**31), 32767)
    echoes(client.testI64, 0, 1, -1, 2**32 + 1, -34359738368, 2**53 - 1, -(2**53))
    echoes(client.testI64, 2**63 - 1, -(2**63))
    echoes(client.testDouble, 0.0, -1.5, 2.0**-59, 5.235098235, -0.000341012439638598279, 1e308, 5e-324, math.inf, -math.inf)
    assert math.isnan(client.testDouble(math.nan))
    assert math.copysign(1, client.testDouble(-0.0)) == -1
    echoes(client.testBinary, b"", bytes(range(256)), bytes(1_000_000))
    thing = Xtruct("Zero", 1, -3, -5)
    echoes(client.testStruct, thing, Xtruct(), Xtruct("", 0, 0, 0))
    echoes(client.testNest, Xtruct2(0, thing, 0), Xtruct2())
    echoes(client.testMap, {n: n - 10 for n in range(5)}, {})
    echoes(client.testStringMap, {"a": "123", " x y ": "with spaces ", "same": "", "0": UNICODE, "": "empty"}, {})
    echoes(client.testSet, {8, 1, 42, -5}, set())
    echoes(client.testList, [1, 4, 9, -42], [])
    echoes(client.testEnum, *(getattr(Numberz, name) for name in ("ONE", "TWO", "THREE", "FIVE", "SIX", "EIGHT")))
    echoes(client.testTypedef, 0xFFFFFFFFFFFFFF, -1, 309858235082523)
    assert client.testMapMap(42) == map_map()
    assert client.testInsanity(insanity()) == {
        1: {Numberz.TWO: insanity(), Numberz.THREE: insanity()},
        2: {Numberz.SIX: Insanity()},
    }
    multi = client.testMulti(74, 0xFF00FF, 0xFFFFFFFFD0D0, {n: f"s{n}" for n in range(5)}, Numberz.FIVE, 0xF0F0F0)
    assert multi == Xtruct("Hello2", 74, 0xFF00FF, 0xFFFFFFFFD0D0)
    client.testException("Safe")
    error = raised(Xception, client.testException, "Xception")
    assert (error.errorCode, error.message) == (1001, "Xception")
    raised(TApplicationException, client.testException, "TException")
    error = raised(Xception, client.testMultiException, "Xception", "ignored")
    assert (error.errorCode, error.message) == (1001, "This is an Xception")
    error = raised(Xception2, client.testMultiException, "Xception2", "ignored")
    assert (error.errorCode, error.struct_thing.string_thing) == (2002, "This is an Xception2")
    assert client.testMultiException("success", "foobar").string_thing == "foobar"
    client.testOneway(0)
    echoes(client.testI32, -1)


class Handler:
    def __getattr__(self, name):
        if name.startswith("test"):
            return lambda thing=None: thing
        raise AttributeError(name)

    def testMapMap(self, hello):
        return map_map()

    def testInsanity(self, argument):
        return {1: {Numberz.TWO: argument, Numberz.THREE: argument}, 2: {Numberz.SIX: Insanity()}}

    def testMulti(self, arg0, arg1, arg2, arg3, arg4, arg5):
        return Xtruct("Hello2", arg0, arg1, arg2)

    def testException(self, arg):
        if arg == "Xception":
            raise Xception(1001, arg)
        if arg == "TException":
            raise TException(arg)

    def testMultiException(self, arg0, arg1):
        if arg0 == "Xception":
            raise Xception(1001, "This is an Xception")
        if arg0 == "Xception2":
            raise Xception2(2002, Xtruct("This is an Xception2"))
        return Xtruct(arg1)


_, _, role, protocol_name, transport_name = sys.argv
transports = TTransport.TFramedTransportFactory() if transport_name == "framed" else TTransport.TBufferedTransportFactory()
protocols = (
    TBinaryProtocol.TBinaryProtocolFactory() if protocol_name == "binary" else TCompactProtocol.TCompactProtocolFactory()
)
if role == "server":
    listener = TSocket.TServerSocket("127.0.0.1", 0)
    listener.listen()
    print(listener.handle.getsockname()[1], flush=True)
    listener.listen = lambda: None
    TServer.TThreadedServer(ThriftTest.Processor(Handler()), listener, transports, protocols, daemon=True).serve()
else:
    transport = transports.getTransport(TSocket.TSocket("127.0.0.1", int(role)))
    transport.open()
    check(ThriftTest.Client(protocols.getProtocol(transport)))
    transport.close()
