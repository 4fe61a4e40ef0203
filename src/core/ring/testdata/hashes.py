# Made the vectors beside it: pip install mmh3 xxhash; python3 hashes.py > hashes.json
import mmh3, xxhash, hashlib
def fnv(b):
    h=0x811c9dc5
    for c in b: h=((h^c)*0x01000193)&0xffffffff
    return h
keys=['','a','ab','abc','abcd','abcde','message digest','0123456789abcdef','0123456789abcdef0','x'*31,'y'*64,'z'*300,'é','日本語のキー','emoji 😀!','k'*339+'é','long '*300,'é'*400]
import json
print(json.dumps([{'key':k,'murmur3':mmh3.hash(k.encode(),0,signed=False),'murmur3Seeded':mmh3.hash(k.encode(),0x9747b28c,signed=False),'xxhash32':xxhash.xxh32(k.encode(),0).intdigest(),'xxhash32Seeded':xxhash.xxh32(k.encode(),0x9e3779b1).intdigest(),'fnv1a':fnv(k.encode()),'md5':hashlib.md5(k.encode()).hexdigest()} for k in keys],ensure_ascii=False,indent=1))
