# Made the vectors beside it from a running nginx (1.22.1): python3 ip-hash-nginx.py > ip-hash-nginx.txt
import subprocess,socket,http.client,random,time,tempfile
def free():
    s=socket.socket();s.bind(('127.0.0.1',0));p=s.getsockname()[1];s.close();return p
random.seed(5)
addrs=['10.0.0.1','10.0.0.200','0.0.0.0','255.255.255.254','127.0.0.1','2001:db8::1','2001:db8::2','::1','fe80::1:2:3:4','2001:db8:0:1:1:1:1:1','1:2:3:4:5:6:7:8','64:ff9b::192.0.2.33']
addrs+=['%d.%d.%d.%d'%tuple(random.randrange(256) for _ in range(4)) for _ in range(120)]
addrs+=['2001:db8:%x::%x'%(random.randrange(65536),random.randrange(65536)) for _ in range(30)]
for weights,down in (([1,1,1],[]),([5,1,2,3],[]),([1,1,1,1,1,1,1],[2,3]),([7,2,4],[0])):
    ports=[free() for _ in weights];front=free();d=tempfile.mkdtemp()
    conf='daemon off;master_process off;pid %s/pid;error_log %s/err;events{}http{access_log off;client_body_temp_path %s/a;proxy_temp_path %s/b;fastcgi_temp_path %s/c;uwsgi_temp_path %s/d;scgi_temp_path %s/e;upstream u{ip_hash;%s}'%(d,d,d,d,d,d,d,''.join('server 127.0.0.1:%d weight=%d%s;'%(p,w,' down' if i in down else '') for i,(p,w) in enumerate(zip(ports,weights))))
    conf+=''.join('server{listen 127.0.0.1:%d;location /{return 200 "%d";}}'%(p,i) for i,p in enumerate(ports))
    conf+='server{listen 127.0.0.1:%d;set_real_ip_from 127.0.0.1;real_ip_header X-Real-IP;location /{proxy_pass http://u;}}}'%front
    open(d+'/conf','w').write(conf)
    n=subprocess.Popen(['nginx','-p',d,'-c',d+'/conf'],stderr=subprocess.DEVNULL)
    for _ in range(100):
        try: socket.create_connection(('127.0.0.1',front)).close();break
        except OSError: time.sleep(.05)
    print('weights',','.join(map(str,weights)),'down',','.join(map(str,down)) or '-')
    c=http.client.HTTPConnection('127.0.0.1',front)
    for a in addrs:
        c.request('GET','/',headers={'X-Real-IP':a});print(a,c.getresponse().read().decode())
    n.terminate();n.wait()
