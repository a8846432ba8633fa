import java.util.List;

public class Labels {
    /** One label. */
    public String print(int grams) {
        return grams + " g";
    }

    public String empty() {
        return "";
    }
}