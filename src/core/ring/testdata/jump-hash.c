/* Figure 1 of Lamping and Veach, as printed. Made the vectors beside it: cc jump-hash.c && ./a.out > jump-hash.txt */
#include <stdint.h>
#include <stdio.h>
int32_t JumpConsistentHash(uint64_t key, int32_t num_buckets) {
  int64_t b = -1, j = 0;
  while (j < num_buckets) {
    b = j;
    key = key * 2862933555777941757ULL + 1;
    j = (b + 1) * ((double)(1LL << 31) / (double)((key >> 33) + 1));
  }
  return b;
}
int main(void) {
  uint64_t x = 88172645463325252ULL; int n[] = {1, 2, 3, 7, 10, 100, 1024, 65537, 1000000, 2147483647};
  for (int i = 0; i < 300; i++) {
    uint64_t key = i < 20 ? (uint64_t)i : i < 40 ? ~(uint64_t)(i - 20) : x;
    printf("%llu %d %d\n", (unsigned long long)key, n[i % 10], JumpConsistentHash(key, n[i % 10]));
    x ^= x << 13; x ^= x >> 7; x ^= x << 17;
  }
}
