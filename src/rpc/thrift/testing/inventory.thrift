namespace js inventory
namespace py inventory

struct Item { 1: required string sku, 2: i32 stock, 3: optional list<string> tags, 4: i64 updated }
exception OutOfStock { 1: string sku, 2: string message }

service Inventory {
  Item get(1: string sku),
  i32 reserve(1: string sku, 2: i32 quantity) throws (1: OutOfStock outOfStock),
  list<Item> all(),
  void touch(1: string sku),
  oneway void forget(1: string sku),
}
