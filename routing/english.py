"""Whether a text is English, told by common words. Pure.

English weights say nothing about other languages, so that doubt means no: such a text is left to the default model.
Many short words mean something in several languages ("do", "can" and "the" are Vietnamese too once the tone marks
are left out); those prove nothing.
"""

from __future__ import annotations

from collections.abc import Container, Sequence

MAX_FOREIGN_LETTERS = 0.04
"""Share of letters outside a-z above which a text is not English; "naive" with its dots is well below."""

MIN_KNOWN = 0.45
"""Least share of words that are known when English words of grammar were seen."""

MIN_KNOWN_ALONE = 0.75
"""The same when none was seen: "list prime numbers"."""

SURE = 3
"""Words of English grammar after which rare words are taken for English ones: names of bones, of drugs."""

MIN_KNOWN_SURE = 0.25

PROOF = frozenset(
    """about above after again against and any are be because been before being below between both but can't could
    describe did didn't does doesn't don't down during each every everything explain few find following from
    give had has have hello help her here hey hi his how i'd i'm i've if into is isn't it it's its just know let
    let's list make many more most much need not of off once only other our out over own please same she should
    show some someone something such tell than thank thanks that the their them then there these they they're
    think this those through under until up use used using very want was were what when where whether which
    while who whom whose why will with within without won't would write you you're your yours""".split()
)
"""Words of English grammar, and of asking. The few that also exist elsewhere are outweighed by FOREIGN."""

COMMON = frozenset(
    """able add advice afraid ago agree airport almost already although always amazing angry answer anyone anything api
    app apple apply around array arrays article ask asked asking attack aunt available away awesome baby back
    bake balance ball bash basic battery beach beautiful because become bed beer begin beginner believe best
    better big bike bill bird birthday black blog blue board body book boring boss both bottle box boy boyfriend
    brain bread break breakfast bring broken brother budget bug build building bus business busy buy cake call
    camera cannot car career cat change cheap check cheese chicken child children christmas city class clean
    clear click close clothes code coffee cold college color come coming comment company compare computer cook
    cooking cool copy could couple course crash crazy create css custom customer daily dance dark date daughter
    day days dead deal dear debug decide decision deep delete design detail details dictionary died diet
    difference different dinner dish doctor document dog doing done door download draft draw dream dress drink
    drive dry duplicate duplicates early easy eat edit effect egg either email emails empty end engine english
    enough error essay even evening event ever every exam example excited exercise expensive experience
    explanation extract face fact family famous far favorite favourite feature feed feel feeling feet few fight
    file files fill film find finish fire first fish fix fixed flight floor flower fly follow food foot football
    forget format found free fresh friend friends front fruit full fun function funny future game garden
    generate get getting giant girl girlfriend given gives giving glass goal going gone good got grade grammar
    great green ground group grow guess guide guy hair half happen happened happens happy hard hate head health
    healthy hear heart heavy height higher history holiday home homework hope hotel hour hours house however
    html huge hundred hungry hurt husband idea ideas implement important improve include install interesting
    interview into issue items java javascript job joke journey json july june keep key keyboard kids kill
    kitchen knew know known language laptop large last late later laugh lawyer learn learning least leave left
    letter life light like limit line linux list lists little live living login long longer look looking loop
    loops lose lost lot love lower lunch machine mad magic mail making man manager match matches maybe meal mean
    meaning means meat meet meeting message might milk mind minute minutes missing mistake mobile modern moment
    monday money month months mood morning mother mountain mouse movie movies much music myself name names near
    nearly need needed needs never new news next nice night nobody noise normal nothing notice number object
    often old older online open opinion option options order other outfit outside own page paint pair paper
    paragraph parents part party password past pasta pay people perfect person phone photo phrase pick picture
    piece pizza place plan plane planning plant play player please poem point polite poor popular possible
    practice prepare present pretty price print prize problem product program project proper public pull push
    put python query queue quick quickly quiet quite quote rain random rather react read reading ready real
    really reason recipe recommend red regex relationship remember remove rent repeat replace reply report
    request resume return review rewrite rhyme rice rich right river road role room rule rules run running safe
    said sales salt same save say saying schedule school science screen script search season second section seem
    seen sell send sentence sentences server set setup several share shop shopping short should shower sick side
    sign similar simple since sing single sister sit size skill skills sleep slow small smart smile snow social
    soft software sold soldier someone song songs soon sorry sort sound soup speak special speech speed spelling
    spend sport spring sql stand star start startup stay step steps stop store story strange street stress
    string strings strong student study stuff style subject sugar suggest suggestions suitable summarize summary
    summer sun sunday support sure surprise sweet swim table take taking talk tall tax tea teach teacher team
    teeth tennis test text thank thing things thinking third thought thousand three throw thursday ticket time
    times tiny tired title today together told tomorrow tonight too top topic total touch tour town toy traffic
    train translate travel tree trip trouble true trust try trying tuesday turn tv twice two type ugly uncle
    understand unit until update upset use useful user usually vacation value values version video view visit
    voice wait walk wall want warm wash watch watching water way weather web website wedding wednesday week
    weekend weeks weight weird went whatever white whole wife win wind window winter wish without woman wonder
    word words work working works world worried worse worst worth wrong yeah year years yellow yes yesterday yet
    young yourself zero""".split()
)
"""Everyday words, known without weighing anything; examinations hold few of them."""

FOREIGN = frozenset(
    (
        # Spanish, Portuguese, Italian, French, Catalan, Romanian
        "que el los las una unos uno del por para con como esta este esto estoy eres soy muy pero cuando donde quien "
        "cual cuales hacer hace puede puedo puedes quiero necesito ayuda ayudame dime sobre entre porque gracias hola "
        "mi tu su sus mis nos ser estar hay mas todo todos si ya lo le les al y o e um uma os da das dos na nos no em "
        "ao aos pela pelo nao sao voce voces eu ele ela eles meu minha seu sua isso isto esse essa qual quais quando "
        "onde fazer faz posso pode preciso obrigado obrigada ola ate tambem muito mais bem il lo gli le di che non "
        "per una uno della delle dello dei degli nel nella sono sei siamo hai ho perche quale quali quando dove chi "
        "fare posso puoi voglio grazie ciao molto piu questo questa quello quella anche come cosa mio tuo suo la de "
        "et est les des du au aux un une je tu il elle nous vous ils elles ne pas ce cet cette ces mon ma mes ton ta "
        "tes son sa ses leur leurs qui quoi quel quelle quels quelles comment pourquoi quand ou avec sans dans sur "
        "sous entre pour par plus moins tres peux peut veux faire fait suis sont avez avons merci bonjour salut moi "
        "si amb els aquest aixo perque este sunt esti pentru din care cum unde cand vreau poti mie imi si ce fac "
        # German, Dutch, Swedish, Danish, Norwegian
        "der die das den dem des ein eine einen einem einer eines und oder aber nicht ist sind bin bist war waren "
        "ich du er sie wir ihr mich mir dir dich uns euch mein meine dein deine sein seine wie warum wann wo wer wen "
        "welche welcher welches kann kannst konnen muss mussen soll mochte mit von zu zum zur bei nach aus auf fur "
        "uber unter durch als auch noch nur sehr bitte danke hallo es gibt wird werden haben habe hat het een van "
        "dat niet zijn ik jij je hij zij wij jullie mijn jouw waarom hoe wat wanneer waar wie welke kan kun kunt moet "
        "wil graag met voor op aan bij naar uit maar ook nog heel dank och att det som en ett av till jag han hon vi "
        "inte ar hur varfor vad nar var vem vilken kan ska vill med fran pa hej tack og af til jeg hun ikke er hvordan "
        "hvorfor hvad hva hvem hvor hvilken skal vil fra ved hej takk tak meg deg dette denne "
        # Polish, Czech, Croatian, Hungarian, Finnish, Turkish
        "jak jest nie sie czy dlaczego kiedy gdzie kto ktory ktora jaki jaka moge mozesz chce prosze dziekuje czesc "
        "ze tak ale lub oraz dla przez przy pod nad bez je ve se si jsem jsi jsou byl kde kdy kdo proc ktery muzu "
        "mohu prosim dekuji ahoj kako zasto sto gdje kada tko koji mogu zelim molim hvala bok sam sa su nije hogyan "
        "miert mikor hol ki melyik egy az ez nem vagy es meg kell tudok szeretnek kerem koszonom szia miten miksi "
        "milloin missa kuka mika mita on ja ei se etta tai mutta voin haluan kiitos hei minun sinun nasil neden ne "
        "zaman nerede kim hangi bir bu su ve ile icin mi mu degil var yok ben sen biz siz onlar lutfen tesekkurler "
        "merhaba istiyorum nedir misin "
        # Indonesian and Malay, Tagalog, Swahili
        "yang dan di ke dari untuk dengan ini itu adalah tidak bukan saya aku kamu anda dia kami kita mereka apa "
        "apakah bagaimana mengapa kenapa kapan dimana siapa bisa boleh tolong terima kasih akan sudah belum ada cara "
        "ang ng sa mga ay na ko mo siya kami tayo sila ano paano bakit kailan saan sino alin hindi oo salamat kung "
        "ito iyan pwede gusto po ni kwa ya wa la cha vya katika nini vipi kwanini lini wapi nani gani habari asante "
        "tafadhali naomba jinsi ninaweza "
        # Vietnamese without its marks
        "la va cua khong duoc nguoi mot nhung nhu nao gi sao toi ban minh em anh chi ong ba no ho chung ta day kia "
        "nay kia thi ma voi cho tu den trong ngoai tren duoi khi neu vi nen hay hoac rat qua lam biet hoc noi hieu "
        "giup viet giai thich tai dau bao nhieu may ai cam xin chao vui long hom mai bai tap tieng phai dang se da "
        "roi cung van con moi cac viec nha nuoc tien gia mua ban tot dep the "
        # Hindi, Arabic, Chinese, Japanese and Korean in Latin letters
        "kya kaise kyun kyu kab kahan kaun hai hain ho mera meri tera aap tum mujhe hum nahi nahin aur ka ki ke ko se "
        "mein par karo kaise batao chahiye kaifa limatha mata ayna shukran ana anta wo ni ta women shi bu zai you "
        "shenme zenme weishenme qing xiexie nihao desu masu watashi anata nani doko itsu naze dou arigato kudasai "
        "wa ga wo mo kara made annyeong eotteoke wae mwo eodi juseyo gamsahamnida"
    ).split()
)
"""Common words of other languages as people type them, marks left out, and of some in Latin letters."""

# English words that are also in the rows above: there they prove nothing either way.
_BOTH = frozenset(
    """a ad ale all also am an ana are arm art as at ba bad bake bald ban be ben big bin bok boot brand bring but by
    cac can care case chat chi come con da dame data den dent des die do does dove due era ex fall fast fin fine
    for ga gas gate gift glad go ha had hand has hat have hay he hell her him his ho i in ion is it ka key kid
    kim kind la land link long ma made mai main make man mata may me media men mes mi mine mit mo more mother mu
    my nap ne no not note nu of ok on or ore out over pa pan par per pi plus pod pot pour pro re rock rot sa sad
    sage sale sam sat see sen sent set she si sin ski so sole son sous soy stern sun sunt sure ta tai tan ten
    test than the then ti tie to ton took tu under up us use van var via wa want war was we wide will ya you
    """.split()
)

PROVES_FOREIGN = FOREIGN - _BOTH - {"en", "et", "al", "de", "di", "el", "von", "le", "los", "las", "san"}
"""Names hold "de" and "von"; those alone prove nothing."""

_VIETNAMESE_TOO = frozenset("the can may do so an hay ban long on con in than to he me no hang thing".split())
_PROVES = PROOF - PROVES_FOREIGN


def is_english(words: Sequence[str], letters_elsewhere: float, known: Container[str]) -> bool:
    """`words`: small letters, two or more each, in order. `known`: English words beside those of grammar.

    `letters_elsewhere`: share of the text's letters outside a-z.
    """
    if not words or letters_elsewhere > MAX_FOREIGN_LETTERS:
        return False
    proof = foreign = seen = 0
    for word in words:
        if word in PROVES_FOREIGN:
            foreign += 1
        elif word in _PROVES:
            seen += 1
            proof += word not in _VIETNAMESE_TOO
        elif word in COMMON or word in known:
            seen += 1
    if foreign * 3 > proof:
        return False
    share = seen / len(words)
    if proof >= SURE:
        return share >= MIN_KNOWN_SURE
    return share >= (MIN_KNOWN if proof else MIN_KNOWN_ALONE)
