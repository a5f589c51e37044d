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

PROOF = frozenset(
    """the and of what which how why when where who whose whom would should could with from this that these those
    you your yours does did doesn't didn't don't can't won't isn't it's i'm i've i'd you're they're there their they
    them then if it its his her she our been being because about into between through during after before above
    below while until each both other such only own same very just please give write make tell find show explain
    describe list let's let need want know think help hey hello hi thanks thank much many more most than please
    have has had was were are is be will not but out up down off over under again once here every few any some
    using used use which following between whether without within against something someone everything""".split()
)
"""Words of English grammar, and of asking. The few that also exist elsewhere are outweighed by FOREIGN."""

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
    """a an as at am all also be by can do does for go had has have he her him his i in is it make me my no not of on
    or out over per she so son sage than the then to took up us van war was we will you are die die den dent hat her
    hay may ban long on con come sin pan ten tan chat fin sure sale mine made case main pour sent care more plus des
    do da la mes par sous tu per sun sunt ne to on use via ex ok but art bin bad bald fast gift hell kind link rock
    rot see stern wide was want boot brand bring gas glad big arm
    no an me ma mo mi ho ha ta ya pa pi re sa si ti ad mu nu tai key son ton soy par pod nap sat sad set var ski ion
    ka mata ana made mother am ba wa ga pot bake man hand land under fall men kid gate gift dame hay tan chi mai cac
    bok sam kim ben sen mine sin ale tie test so pro mit sage due era ore sole fine dove come note note media data
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
        elif word in known:
            seen += 1
    if foreign * 3 > proof:
        return False
    share = seen / len(words)
    return share >= (MIN_KNOWN if proof else MIN_KNOWN_ALONE)
