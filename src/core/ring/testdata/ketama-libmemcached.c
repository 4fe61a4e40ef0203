/* Made the vectors beside it: cc ketama-libmemcached.c -lmemcached && ./a.out > ketama-libmemcached.txt (Debian 12, libmemcached 1.1.4). */
#include <libmemcached/memcached.h>
#include <stdio.h>
#include <string.h>
typedef struct { const char *host; int port; unsigned weight; } Server;
static void run(const char *title, const Server *servers, int count) {
  memcached_st *m = memcached_create(NULL);
  memcached_behavior_set(m, MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED, 1);
  printf("servers %s", title);
  for (int i = 0; i < count; i++) {
    memcached_server_add_with_weight(m, servers[i].host, servers[i].port, servers[i].weight);
    printf(" %s,%d,%u", servers[i].host, servers[i].port, servers[i].weight);
  }
  printf("\n");
  for (int k = 0; k < 160; k++) {
    char key[200];
    if (k % 4 == 0) snprintf(key, sizeof key, "%d", k * 7919);
    else if (k % 4 == 1) snprintf(key, sizeof key, "user:%08x:profile", (unsigned)(k * 2654435761u));
    else if (k % 4 == 2) snprintf(key, sizeof key, "caf\xc3\xa9/%d/\xe2\x82\xac", k);
    else { memset(key, 'a' + k % 26, 150); key[20 + k % 120] = 0; }
    printf("%s %u\n", key, memcached_generate_hash(m, key, strlen(key)));
  }
  memcached_free(m);
}
int main(void) {
  printf("version %s\n", memcached_lib_version());
  Server equal[] = {{"10.0.1.1", 11211, 1}, {"10.0.1.2", 11211, 1}, {"10.0.1.3", 11211, 1}, {"10.0.1.4", 11211, 1}};
  run("equal", equal, 4);
  Server weighted[] = {{"cache-a.example", 11212, 600}, {"cache-b.example", 11211, 300}, {"cache-c.example", 22122, 200},
    {"10.0.1.4", 11213, 350}, {"10.0.1.5", 11211, 1000}, {"10.0.1.6", 9000, 800}, {"10.0.1.7", 11211, 950}, {"10.0.1.8", 11211, 100}};
  run("weighted", weighted, 8);
  Server odd[] = {{"a", 1, 1}, {"b", 2, 2}, {"c", 3, 3}, {"d", 65535, 4}, {"e", 80, 5}, {"f", 443, 6}, {"g", 7, 7}};
  run("odd", odd, 7);
  Server many[37]; static char names[37][20];
  for (int i = 0; i < 37; i++) { snprintf(names[i], 20, "node-%d", i); many[i] = (Server){names[i], 11200 + i, 1 + (i * 13) % 29}; }
  run("many", many, 37);
  Server lopsided[] = {{"big", 11211, 10000}, {"small", 11211, 1}, {"mid", 11211, 77}};
  run("lopsided", lopsided, 3);
  return 0;
}
