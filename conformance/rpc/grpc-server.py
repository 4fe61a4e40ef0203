"""Serves the Orders service with Python's gRPC, prints its port, and ends when its input does. Arguments: the folder of the
generated code; and `every-other`, where only every other listed order is to be compressed."""
import sys
import time
from concurrent import futures

sys.path.insert(0, sys.argv[1])
import grpc
import orders_pb2 as pb
import orders_pb2_grpc as rpc


class Orders(rpc.OrdersServicer):
    def PlaceOrder(self, request, context):
        sent = dict(context.invocation_metadata())
        if "x-echo" in sent:
            context.send_initial_metadata((("x-head", sent["x-echo"]), ("x-head-bin", sent["x-echo-bin"])))
            context.set_trailing_metadata((("x-trailer", sent["x-echo"]), ("x-trailer-bin", sent["x-echo-bin"])))
        if request.item == "fail":
            context.set_trailing_metadata((("x-why", "sold out"),))
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "no such item: 100 % ✗")
        while request.item == "wait" and context.is_active():
            time.sleep(0.01)
        return pb.PlaceOrderResponse(id=request.item + "-1", served_by="python", note=request.note)

    def ListOrders(self, request, context):
        for at in range(request.count):
            if at % 2 == 1 and "every-other" in sys.argv:
                context.disable_next_message_compression()
            yield pb.Order(id=str(at), count=at, note=bytes(request.note_bytes))

    def Upload(self, requests, context):
        notes = [len(one.note) for one in requests]
        return pb.UploadResponse(count=len(notes), bytes=sum(notes))

    def Chat(self, requests, context):
        for one in requests:
            yield pb.Order(id=one.id, item=one.item.upper())


server = grpc.server(futures.ThreadPoolExecutor(max_workers=8), compression=grpc.Compression.Gzip)
rpc.add_OrdersServicer_to_server(Orders(), server)
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
sys.stdin.read()
server.stop(0)
