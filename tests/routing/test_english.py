"""Other languages are no evidence: the default model answers, whatever English words may stand in them."""

from __future__ import annotations

import pytest

from routing.complexity import NO_EVIDENCE, Need, assess, need
from routing.weights import shipped

ELSEWHERE = {
    "vietnamese": (
        "Thủ đô của Việt Nam là gì?|Giải thích thuyết tương đối cho tôi|Viết một hàm Python để sắp xếp danh sách|"
        "Làm thế nào để nấu phở bò ngon?"
    ),
    "vietnamese without marks": (
        "cho toi biet cach nau pho bo|lam sao de hoc tieng anh nhanh hon|toi can giup do ve bai tap toan|"
        "viet cho toi mot doan code python sap xep danh sach|the nao la tri tue nhan tao|may tinh cua toi khong len nguon|"
        "an gi toi nay|do an viet nam|em an com chua|sang mai may gio hop|the gioi co bao nhieu nuoc|can bao nhieu thoi gian|"
        "ham sort trong python dung sao|lap trinh python co kho khong|ban co the dich cau nay khong|thu do nuoc phap"
    ),
    "chinese": "为什么天空是蓝色的|写一个python函数|請解釋量子力學|量子力学是什么意思 explain",
    "japanese": "空はなぜ青いのですか|Pythonで関数を書いてください|この文章を要約してください",
    "korean": "하늘은 왜 파란가요|파이썬 함수를 작성해 줘",
    "arabic": "ما هي عاصمة مصر؟|اكتب دالة بايثون|كيف أتعلم البرمجة",
    "russian": "Какая столица России?|напиши функцию на python|как приготовить борщ",
    "hindi": "भारत की राजधानी क्या है|kya aap meri madad kar sakte hain|python mein list kaise sort kare",
    "thai": "ทำไมท้องฟ้าสีฟ้า",
    "spanish": (
        "¿Cuál es la capital de Francia?|como hago una funcion en python|resuelve 2x + 3 = 7|necesito ayuda con mi tarea|"
        "tengo un problema con el ordenador|menu del dia|explain como funciona esto"
    ),
    "portuguese": "Como faço para aprender programação?|qual a capital do brasil|me explique a teoria da relatividade",
    "french": "Pourquoi le ciel est-il bleu ?|explique moi la photosynthese|donne moi une recette de crepes|analyse la situation",
    "italian": "Perché il cielo è blu?|scrivi una funzione python|qual e la capitale d'italia",
    "german": (
        "Was ist die Hauptstadt von Deutschland?|erklaere mir die quantenphysik|schreibe eine funktion in python|"
        "warum ist der himmel blau|wie spaet ist es"
    ),
    "dutch": "hoe maak ik een website|wat is de hoofdstad van nederland|wat kost een huis",
    "polish": "dlaczego niebo jest niebieskie|do czego sluzy ten program|jak zrobic pierogi",
    "turkish": "Türkiye'nin başkenti neresi?|python da liste nasil siralanir",
    "indonesian": "apa ibu kota indonesia|bagaimana cara membuat nasi goreng|tulis fungsi python",
    "swedish": "hur skriver jag en funktion i python|vad kostar en bil",
    "finnish": "miksi taivas on sininen|kirjoita runo merestä",
    "tagalog": "ano ang kabisera ng pilipinas|paano magluto ng adobo",
    "swahili": "nini mji mkuu wa kenya",
}


@pytest.mark.parametrize("language", ELSEWHERE)
def test_in_other_languages_the_default_model_answers(language: str) -> None:
    for text in ELSEWHERE[language].split("|"):
        found = assess(text, shipped())
        assert found == NO_EVIDENCE, text
        assert need(found) is Need.DEFAULT


@pytest.mark.parametrize(
    "text",
    [
        "help me fix this bug",
        "can you recommend a good movie for tonight",
        "my cat is sick what should i do",
        "rewrite your previous answer",
        "what's 15% of 80",
        "sql query to find duplicates",
        "list prime numbers",
        "is there a good café near the old station that you would recommend?",
        "Which artery supplies the brachioradialis and the pronator quadratus of the forearm?",
        "who wrote Cien años de soledad, and when was it first published in English?",
    ],
)
def test_english_as_people_type_it_is_known(text: str) -> None:
    assert assess(text, shipped()).score is not None


@pytest.mark.parametrize(
    "text", ["", "   ", "?!", "😀😀", "Barcelona", "12345", "\0\0", "> quoted only", "@bob"]
)
def test_a_text_with_nothing_to_go_by_is_no_evidence(text: str) -> None:
    assert assess(text, shipped()) == NO_EVIDENCE
