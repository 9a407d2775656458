import asyncio, time, pytest, base64
from collections import Counter
from tests.support.platform import *
from tests.integration.services.story import *
async def test_x(databases, tmp_path):
    async with Platform.open(databases, tmp_path) as p:
        s=Story(p,new_tenant())
        await s.begin(); await s.enrol()
        op=s.system("operator"); me=s.who("mentee-a"); co=s.who("coordinator"); ad=s.system("admin")
        async def t(what, service, who, method, path, **o):
            r=await p[service].call(who, method, path, **o)
            print("RESULT", what, r.status_code, r.text[:150])
        await t("neg limit","profiles",op,"GET","/management/dead-letters",params={"limit":-1})
        await t("zero limit","profiles",op,"GET","/management/dead-letters",params={"limit":0})
        await t("nul state","profiles",op,"GET","/management/dead-letters",params={"state":"\x00"})
        await t("odd state","profiles",op,"GET","/management/dead-letters",params={"state":"nonsense"})
        await t("nul after prog","profiles",me,"GET","/programmes",params={"after":"\x00"})
        await t("surrogate after","profiles",me,"GET","/programmes?after=%ED%A0%80")
        await t("nul after me enrol","profiles",me,"GET","/me/enrolments",params={"after":"\x00"})
        await t("nul after waiting","matching",co,"GET","/programmes/p-main/waiting",params={"after":"2026-01-01.\x00"})
        await t("year 0 waiting","matching",co,"GET","/programmes/p-main/waiting",params={"after":"0001-01-01.x"})
        await t("surrogate body","profiles",me,"PUT",f"/people/{me.subject}/profile",content=b'{"goals":"\\ud800"}',headers={"content-type":"application/json"})
        await t("surrogate tenant","profiles",ad,"PUT","/tenant",content=b'{"name":"\\ud800"}',headers={"content-type":"application/json"})
        await t("surrogate key skill","profiles",me,"PUT",f"/people/{me.subject}/profile",content=b'{"skills_wanted":{"\\ud800":3}}',headers={"content-type":"application/json"})
        await t("deep body","profiles",me,"PUT",f"/people/{me.subject}/profile",content=b'['*100000,headers={"content-type":"application/json"})
        await t("nan body","profiles",me,"PUT",f"/people/{me.subject}/profile",content=b'{"mentor_capacity":NaN}',headers={"content-type":"application/json"})
        await t("big int","profiles",me,"PUT",f"/people/{me.subject}/profile",content=b'{"mentor_capacity":'+b'9'*5000+b'}',headers={"content-type":"application/json"})
        await t("not utf8 body","profiles",me,"PUT",f"/people/{me.subject}/profile",content=b'{"goals":"\xff"}',headers={"content-type":"application/json"})
        tok=base64.urlsafe_b64encode(b'['*60000).decode().rstrip("=")
        await t("deep token","profiles",None,"GET","/programmes",headers={"authorization":f"Bearer {tok}.e30.x"})
        tok=base64.urlsafe_b64encode(b'{"alg":"EdDSA","kid":["x"]}').decode().rstrip("=")
        await t("kid list","profiles",None,"GET","/programmes",headers={"authorization":f"Bearer {tok}.e30.x"})
        tok=base64.urlsafe_b64encode(b'{"alg":"EdDSA","kid":null}').decode().rstrip("=")
        await t("kid null","profiles",None,"GET","/programmes",headers={"authorization":f"Bearer {tok}.e30.x"})
        await t("bad b64","profiles",None,"GET","/programmes",headers={"authorization":b"Bearer \xe4.\xe4.\xe4"})
        for h in ({"x-correlation-id":"Ada Lovelace ada@x.example"},{"traceparent":"ada@x.example"*20}):
            await t("corr","profiles",me,"PUT",f"/people/{me.subject}/profile",json={"goals":"g"+str(h)},headers=h)
        rows=await p["profiles"].plumbing("select headers::text as h, convert_from(payload,'UTF8') as p from outbox where tenant=$1", s.tenant)
        for r in rows: print("RESULT outbox", r["h"][:700])
        await t("dup coordinators","profiles",ad,"PUT","/programmes/p-9",json={"name":"x","coordinator_ids":["a"]*50})
        now=await p["feedback"].now()
        await t("after me","matching",me,"GET","/me/proposals",params={"limit":0})
        await t("content-length","profiles",me,"PUT",f"/people/{me.subject}/profile",content=b'{}',headers={"content-length":"²"})
