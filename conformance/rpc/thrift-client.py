# A Thrift client in Python, of what Debian's compiler generates: calls everything of the inventory and prints what came.
# python3 thrift-client.py GENERATED_FOLDER PORT binary|compact framed|buffered SERVICE_NAME|-
import json
import sys

sys.path.insert(0, sys.argv[1])
from inventory import Inventory
from inventory.ttypes import OutOfStock
from thrift.protocol import TBinaryProtocol, TCompactProtocol, TMultiplexedProtocol
from thrift.Thrift import TApplicationException
from thrift.transport import TSocket, TTransport

_, _, port, protocol_name, transport_name, service = sys.argv
transport = TSocket.TSocket("127.0.0.1", int(port))
transport = (TTransport.TFramedTransport if transport_name == "framed" else TTransport.TBufferedTransport)(transport)
protocol = (TBinaryProtocol.TBinaryProtocol if protocol_name == "binary" else TCompactProtocol.TCompactProtocol)(transport)
if service != "-":
    protocol = TMultiplexedProtocol.TMultiplexedProtocol(protocol, service)
client = Inventory.Client(protocol)
transport.open()
seen = {}
item = client.get("apple")
seen["item"] = [item.sku, item.stock, item.tags, item.updated]
seen["left"] = client.reserve("apple", 3)
try:
    client.reserve("apple", 100)
except OutOfStock as error:
    seen["exception"] = [error.sku, error.message]
seen["all"] = [one.sku for one in client.all()]
client.touch("x")
client.forget("y")
try:
    client.get("broken")
except TApplicationException as error:
    seen["failure"] = error.message
transport.close()
print(json.dumps(seen))
