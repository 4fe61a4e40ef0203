# A Thrift server in Python, of what Debian's compiler generates. Prints its port once it listens.
# python3 thrift-server.py GENERATED_FOLDER binary|compact framed|buffered
import sys

sys.path.insert(0, sys.argv[1])
from inventory import Inventory
from inventory.ttypes import Item, OutOfStock
from thrift.protocol import TBinaryProtocol, TCompactProtocol
from thrift.server import TServer
from thrift.transport import TSocket, TTransport


class Handler:
    def get(self, sku):
        return Item(sku=sku, stock=3, tags=["python"], updated=2**40)

    def reserve(self, sku, quantity):
        if quantity > 3:
            raise OutOfStock(sku=sku, message="only 3")
        return 3 - quantity

    def all(self):
        return [Item(sku=str(n), stock=n, updated=n) for n in range(1000)]

    def touch(self, sku):
        pass

    def forget(self, sku):
        pass


_, _, protocol_name, transport_name = sys.argv
listener = TSocket.TServerSocket("127.0.0.1", 0)
listener.listen()
print(listener.handle.getsockname()[1], flush=True)
listener.listen = lambda: None
transports = TTransport.TFramedTransportFactory() if transport_name == "framed" else TTransport.TBufferedTransportFactory()
protocols = (
    TBinaryProtocol.TBinaryProtocolFactory() if protocol_name == "binary" else TCompactProtocol.TCompactProtocolFactory()
)
TServer.TThreadedServer(Inventory.Processor(Handler()), listener, transports, protocols, daemon=True).serve()
