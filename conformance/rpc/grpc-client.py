"""Calls the Orders service at the port given, with Python's gRPC, and prints what it saw as JSON. Arguments: the folder
of the generated code, and the port."""
import json
import sys

sys.path.insert(0, sys.argv[1])
import grpc
import orders_pb2 as pb
import orders_pb2_grpc as rpc

seen = {}
options = [("grpc.max_receive_message_length", -1)]
with grpc.insecure_channel("127.0.0.1:" + sys.argv[2], options=options) as channel:
    stub = rpc.OrdersStub(channel)
    metadata = (("x-echo", "some text"), ("x-echo-bin", b"\x00\xff\x01"))
    answer, call = stub.PlaceOrder.with_call(pb.PlaceOrderRequest(item="book"), metadata=metadata)
    seen["unary"] = [answer.id, answer.served_by]
    head, trailers = dict(call.initial_metadata()), dict(call.trailing_metadata())
    seen["metadata"] = [head["x-head"], head["x-head-bin"].hex(), trailers["x-trailer"], trailers["x-trailer-bin"].hex()]

    listed = list(stub.ListOrders(pb.ListOrdersRequest(count=100, note_bytes=20000)))
    seen["listed"] = [len(listed), sum(len(one.note) for one in listed)]

    uploaded = stub.Upload(pb.Order(note=bytes(20000)) for _ in range(100))
    seen["uploaded"] = [uploaded.count, uploaded.bytes]

    seen["chat"] = [one.item for one in stub.Chat(iter([pb.Order(item="a"), pb.Order(item="b")]))]

    note = b"compressible " * 200000
    big = stub.PlaceOrder(pb.PlaceOrderRequest(item="big", note=note), compression=grpc.Compression.Gzip)
    seen["big"] = big.note == note

    try:
        stub.PlaceOrder(pb.PlaceOrderRequest(item="fail"))
    except grpc.RpcError as error:
        seen["error"] = [error.code().name, error.details(), dict(error.trailing_metadata())["x-why"]]

    try:
        stub.PlaceOrder(pb.PlaceOrderRequest(item="wait"), timeout=0.05)
    except grpc.RpcError as error:
        seen["deadline"] = error.code().name

    waiting = stub.PlaceOrder.future(pb.PlaceOrderRequest(item="wait"))
    waiting.cancel()
    seen["cancelled"] = waiting.cancelled()
print(json.dumps(seen))
